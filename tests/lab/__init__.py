"""The lab: several real hosts on one Linux machine, and a laptop that reaches them by SSH only.

A mock proves nothing about a tool whose one promise is that what it says is true, so each host here is
real in all that matters: an address, a hostname, a home, an OpenSSH server with a key of its own, and a
Docker Engine. All that is simulated is the distance between them.

    tests/lab/lab up 3                 gpu1 (192.0.2.11), gpu2, gpu3 and the laptop (192.0.2.1)
    tests/lab/lab laptop ssh gpu1      a command on the laptop; `lab ssh gpu1` is the same
    tests/lab/lab cut gpu2             pull gpu2's network cable; `lab mend gpu2` plugs it back
    tests/lab/lab down                 no process, mount, namespace or file of the lab remains

Labs stand side by side, each under a name: the checkout's folder, or $RAYCLUSTER_LAB. With `pytest -n 3` each
worker has one of its own. Addresses are the same in all: they exist only inside. What labs share is the cache of
images, changed by one at a time, and the machine's folders that others are mounted over, which are never removed.

Why it is built so:

- **Docker inside a network namespace takes it for the machine.** `--network host` then gives a container
  the address of the lab's host, which is all that Ray asks of a network. Addresses are of the range kept
  for documentation, 192.0.2.0/24, and exist only inside. The namespaces are entered with `nsenter`:
  `ip netns exec` would hide the cgroup mounts, and Docker would not start.
- **A mount namespace per host** gives each its own /run, /root, /tmp, /etc/ssh, /etc/docker and
  /var/lib/docker on the usual paths: `docker` over SSH needs no flag, and no host sees another's files.
- **A process namespace per host**, whose init is named `raycluster-lab NAME: gpu1`. When that one process dies,
  the kernel ends everything on the host and takes back its mounts and network. Nothing else has to be
  remembered, so a lab whose script was killed half way is found, and ended, as surely as one that stands.
  It is also what a power cut is: `Host.reboot`.
- **`bridge: none`, `iptables: false`** in dockerd's settings: nothing here needs Docker's own network, and
  the machine's firewall is left alone.
- **The laptop's ~/.ssh is mounted over root's**, because OpenSSH ignores $HOME and asks the user database.
  The rest of root's home stays visible there: the Python that runs `raycluster` may live in it.
- **The image is imported once.** Its layers are then mounted read-only into each host's Docker, which copies
  only a few small files: hosts share the bytes and cannot see each other's writes. That is the difference
  between starting in seconds and in half a minute.
- **GPUs are numbers.** Ray is told `num_gpus`. All that ever stands in for hardware is an empty
  `nvidia-container-runtime-hook`, which makes Docker accept `--gpus all`: `Host.start_docker(gpu_hook=True)`.

It needs root and Debian; packages that are missing are installed without starting or enabling a service.
"""
