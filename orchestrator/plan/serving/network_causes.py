"""Table of the causes of vLLM's end that are between its ranks: NCCL and its kin, Gloo and c10d."""

from orchestrator.plan.remedies import DMESG, LESS, UP
from orchestrator.plan.serving.known import Known, Weight
from orchestrator.plan.typed import add, change, ours, where

DEEP = f"{ours('check', '--deep')} tries the hosts' connections; see also `GLOO_SOCKET_IFNAME`"
NCCL_ERROR = r"NCCL error|nccl(System|Internal|InvalidUsage)\w*Error"
NO_INTERFACE = "{network} finds no interface by the name that it was given"
OUR_INTERFACE = (
    f"take `{{network}}_SOCKET_IFNAME` out of {where('env')}: without it, each host's own is given; then {UP}"
)
ALL_LOCKED = add("docker.args", "--ulimit=memlock=-1")
LOST = f"{ours('status')} tells whether a host is lost, and {UP} brings it back; where none is, "
GONE = f"{LOST}a process was killed: {DMESG}"
TWICE = "two ranks were given the same {device}"
ITS_OWN = (
    f"take {{visible}} out of {where('env')}, then {UP}; are two hosts of the inventory one machine? "
    + ours("exec", "--", "{monitoring}")
    + " shows each one's {device}s"
)
NO_ANSWER = (
    f"{LOST}the network loses packets: {ours('check', '--deep')} tries it, "
    f"and {change('rdma', 'off')} does without"
)

NETWORK: tuple[Known, ...] = (
    Known(
        rf"{NCCL_ERROR}|remote process exited",
        ("a rank got no answer over RDMA",),
        (NO_ANSWER,),
        "NCCL 2.18 to 2.28: of a rank that has gone, and of a network that loses packets",
        Weight.CONSEQUENCE,
        r"NCCL WARN .*NET/IB ?: Got completion .*(status=(12|IBV_WC_RETRY_EXC_ERR))",
    ),
    Known(
        rf"{NCCL_ERROR}|remote process exited",
        ("a rank could not connect to another",),
        (f"{LOST}{DEEP} and `{{network}}_SOCKET_IFNAME`",),
        "NCCL 2.18 to 2.28: of a rank that has gone, and of an address that the others cannot reach",
        Weight.CONSEQUENCE,
        r"NCCL WARN .*[Cc]onnect to .* failed",
    ),
    Known(
        r"gloo/transport.*(Connection closed by peer|Read error|reset by peer)"
        r"|ncclRemoteError|remote process exited|Dist\w+Error: .*([Cc]onnection reset|Broken pipe|failed to recv)",
        ("one of its workers has gone",),
        (GONE,),
        "Gloo and NCCL, in PyTorch to 2.9",
        Weight.CONSEQUENCE,
    ),
    Known(
        r"Watchdog caught collective operation timeout|RayChannelTimeoutError|RPC call to \w+ timed out",
        ("a rank waited for the others, and they did not come",),
        (f"{LOST}they may be slow, or unable to speak to each other: {DEEP}",),
        "PyTorch to 2.9, Ray 2.44 to 2.60, vLLM 0.11 to 0.33.0",
        Weight.CONSEQUENCE,
    ),
    Known(
        r"[Nn]o socket interface found",
        (NO_INTERFACE,),
        (OUR_INTERFACE,),
        "NCCL, in what PyTorch 2.4 and later add to its errors",
    ),
    Known(
        NCCL_ERROR,
        (NO_INTERFACE,),
        (OUR_INTERFACE,),
        "NCCL",
        Weight.SYMPTOM,
        r"NCCL WARN .*[Nn]o socket interface found",
    ),
    Known(
        NCCL_ERROR,
        ("{network} may not lock the memory that RDMA needs",),
        (f"{ALL_LOCKED}, then {UP}; {ours('check')} tells how much containers may lock",),
        "NCCL 2.20 to 2.28",
        Weight.SYMPTOM,
        r"NCCL WARN .*\bibv_\w+ failed.*Cannot allocate memory",
    ),
    Known(
        r"Duplicate GPU detected",
        (TWICE,),
        (ITS_OWN,),
        "NCCL, in what PyTorch 2.4 and later add to its errors",
    ),
    Known(
        NCCL_ERROR,
        (TWICE,),
        (ITS_OWN,),
        "NCCL 2.10 to 2.28",
        Weight.SYMPTOM,
        r"NCCL WARN Duplicate GPU detected",
    ),
    Known(
        r"unhandled cuda error|ncclUnhandledCudaError",
        ("a {device} has not enough memory for the model",),
        (LESS,),
        "NCCL 2.18 to 2.28",
        Weight.SYMPTOM,
        r"NCCL WARN (Cuda|CUDA|HIP) failure.*out of memory",
    ),
    Known(
        r"unhandled cuda error|ncclUnhandledCudaError",
        ("a CUDA call of {network} failed", "a CUDA call failed"),
        (
            f"the log tells which, after {change('env.{network}_DEBUG', 'INFO')} and {UP}; the network may be sound",
            "the network may be sound",
        ),
        "NCCL 2.18 to 2.28",
        Weight.SYMPTOM,
    ),
    Known(
        rf"{NCCL_ERROR}"
        r"|HCCL function error|ERR02\d{3}.*HCCL",
        ("{network} cannot connect the {device}s",),
        (DEEP + " and `{network}_SOCKET_IFNAME`", DEEP),
        "NCCL 2.18 to 2.28 and vLLM 0.6.6 to 0.33.0; torch_npu",
        Weight.SYMPTOM,
    ),
    Known(
        r"The client socket has (?:timed out|failed).*?[(\[](?P<host>[\w.:-]+)[\]]?[,:] ?(?P<port>\d+)",
        ("a process cannot connect to port {port} of {host}",),
        (DEEP,),
        "c10d, in PyTorch to 2.9",
        Weight.SYMPTOM,
    ),
    Known(
        r"Gloo connectFullMesh failed|[Uu]nable to find (address|interface) for|gloo/transport"
        r"|[Uu]nable to resolve hostname to a \(local\) address|rendezvous.*(timed out|failed)|DistStoreError"
        r"|The client socket has (timed out|failed)",
        ("the processes cannot connect to each other",),
        (DEEP + " and `{network}_SOCKET_IFNAME`", DEEP),
        "Gloo and c10d, in PyTorch to 2.9",
        Weight.SYMPTOM,
    ),
)
