"""The mail server of the sandbox: takes every mail, delivers none, shows them in a page."""
