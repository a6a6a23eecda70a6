"""Which pull requests deserve a second look before they merge."""
