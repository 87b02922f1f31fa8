"""Statistics of use over HTTP: one's own, the tenant's, the installation's."""
