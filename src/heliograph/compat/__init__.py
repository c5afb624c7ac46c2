"""The interfaces of programs that were there before, over any renderer of ours."""
