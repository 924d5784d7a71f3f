"""Graph mode: a model becomes the form that eager mode wants, and eager mode does the rest.

trace -> module forms of functionals -> fusion -> stubs and FloatFunctionals where quantized meets float
"""
