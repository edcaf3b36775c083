"""How long a verified question to 20 nodes takes, against embedding it and searching one FAISS index in process."""
