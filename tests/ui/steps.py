"""What people do on the page of a connection, in its words."""

from playwright.sync_api import Page, expect


def edit(page: Page, label: str) -> None:
    page.get_by_role("link", name=f"Edit {label}", exact=True).click()


def unfold(page: Page, title: str) -> None:
    page.locator("summary", has=page.get_by_role("heading", name=title, exact=True)).click()


def confirm(page: Page) -> None:
    page.get_by_role("button", name="Confirm", exact=True).click()


def proceed(page: Page, name: str) -> None:
    """Confirm the change in the dialog, and see the toast."""
    confirm(page)
    dialog = page.get_by_role("dialog", name="Confirmation")
    expect(dialog).to_contain_text(
        f'Your connection "{name}" may restart to apply your changes. Are you sure you want to proceed?'
    )
    dialog.get_by_role("button", name="Proceed update").click()
    expect(page.locator("#toasts")).to_contain_text(f"Update doneConnection '{name}' has been updated")
