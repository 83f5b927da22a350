"""The pages of the web app, one class each."""
