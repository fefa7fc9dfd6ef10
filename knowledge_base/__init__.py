"""knowledge_base: what the city knows (entries with their dates) and which of it answers a text.

Works on plain entries; where they are kept is the business of ``service``.
"""

from knowledge_base.answer import Hit
from knowledge_base.entry import KnowledgeEntry, entry_from_dict, entry_to_dict
from knowledge_base.index import KnowledgeIndex
from knowledge_base.read import read_entries

__all__ = ["Hit", "KnowledgeEntry", "KnowledgeIndex", "entry_from_dict", "entry_to_dict", "read_entries"]
