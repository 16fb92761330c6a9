"""A local port whose connections a host carries on. Imported by cli's `dashboard`."""
