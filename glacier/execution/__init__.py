"""Running recorded steps: attempts with retries and timeouts, a scheduler, and the record of a run."""
