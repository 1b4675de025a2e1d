"""This machine and the account: everything that trainworks needs before it can do anything."""
