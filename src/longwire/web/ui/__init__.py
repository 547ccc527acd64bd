"""The pages: a client of our own API, in the same process, for people with a browser (specification, section 16).

Every page asks the API as the person who is signed in, so roles, masks, validation and the audit log are the API's.
"""
