"""PDF files as text: runs of characters from pdfium, their lines and columns, and the document they make."""

from .document import pdf_text

__all__ = ["pdf_text"]
