"""The commands of ``poslab``, one file each; a file is loaded when its command is called.

Each exposes ``app``, a Typer with one command or with several.
"""
