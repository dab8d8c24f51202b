"""Cells of CSV files that a spreadsheet shows as text and does not run as formulas (OWASP, CSV injection)."""

from __future__ import annotations

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n")


def inert(cell: str) -> str:
    """Return the cell so that a spreadsheet shows it and does not run it; a leading apostrophe is doubled."""
    return f"'{cell}" if cell.lstrip(" ").startswith((*FORMULA_SIGNS, "'")) else cell


def bare(cell: str) -> str:
    """Return the cell that `inert` received."""
    return cell[1:] if cell.startswith("'") and cell[1:].lstrip(" ").startswith((*FORMULA_SIGNS, "'")) else cell
