"""Tests of the Charge Cluster integration; the folders mirror its own."""
