"""SSH as OpenSSH would do it: config, host keys, logins, connections. Fabric and paramiko are imported only here."""
