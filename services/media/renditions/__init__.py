"""Pictures from images: ``child`` runs the program, ``__main__`` is the program.

The package itself imports nothing: what it imported would be loaded in each child.
"""
