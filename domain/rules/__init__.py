"""What each command leads to, one function a command; a module for each part of the life."""
