"""OCPP 1.6 over JSON: its words, how they are read, and the conversation held in them."""
