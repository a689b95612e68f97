"""What a run is made of: settings in a YAML file, checked as a whole before anything starts."""
