"""Ways of delivering pictures, each over any renderer."""
