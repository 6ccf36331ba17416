"""Registry views: pages of the console, model cards, receipts."""
