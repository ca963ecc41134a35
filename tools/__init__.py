"""What makes and checks the documents."""
