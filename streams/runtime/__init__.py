"""Running agents: Faust app, wrapper, keyed runner, leases, poison detection, watchdog."""
