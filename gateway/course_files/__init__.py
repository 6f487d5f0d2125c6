"""Courses as folders of files: reading, making what has to be made, importing and exporting."""
