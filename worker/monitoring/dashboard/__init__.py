"""The page for operators: `hospital-worker dashboard`. Everything here needs the extra `dashboard`."""
