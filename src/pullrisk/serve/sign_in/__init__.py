"""Who looks at a page, and which repositories they may see."""
