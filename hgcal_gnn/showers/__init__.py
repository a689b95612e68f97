"""Showers: the container, its file, and the readers and writers of foreign formats."""
