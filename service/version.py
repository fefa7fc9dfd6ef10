"""The version of the software, from the installed package."""

from importlib.metadata import version

VERSION = version("zhipai")
