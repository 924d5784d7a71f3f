"""Graph mode: a model becomes the form that eager mode wants, and eager mode does the rest.

trace or export -> in-place calls -> expansions -> functionals as modules -> fusion -> stubs and FloatFunctionals
"""
