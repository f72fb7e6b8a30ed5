"""What a site is and what commissioning found, in words and on paper for an electrician to sign.

Pure: facts and words come in, sentences and a PDF go out. Home Assistant, its translations and its clock are elsewhere.
"""
