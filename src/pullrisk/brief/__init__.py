"""What a reviewer of a pull needs: verdict, reasons with names, where to look, what is missing."""
