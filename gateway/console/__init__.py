"""The console: a static page of the operators' port that shows what the admin API says."""
