"""What each word of the `bayeswell` command does; heavy libraries load when a command runs."""
