"""The tables of differential cases, one module for each part of the reference behaviour."""
