"""Stop-words: lists as data, and whether a text or a sender has one of them.

In: lists (files of `config/policy/stopwords`, entries of the registry), texts. Out: hits with their
list, class and entry. Matching is on what a text looks like, not on its code points, in one pass
whatever the number of words. Pure but for reading the files.
"""
