"""Tests of the simulated Apify."""
