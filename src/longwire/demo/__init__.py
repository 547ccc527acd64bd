"""A simulated fleet and a request bin, to see and to test the main job without hardware."""
