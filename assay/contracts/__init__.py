"""What is promised: the dataset spec, the tables that cross a stage, the manifest, and the errors a user can meet."""
