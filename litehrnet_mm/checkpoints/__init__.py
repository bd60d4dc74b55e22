"""Readers of foreign weights, each giving a state dict with this project's keys."""
