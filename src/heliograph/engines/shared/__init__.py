"""What several engines need between the scene and the rasterizer."""
