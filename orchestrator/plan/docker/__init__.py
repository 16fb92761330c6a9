"""Docker's command lines. Nothing else builds one; `plan` and `remote` call them as `docker.…`."""

from orchestrator.plan.docker.archive import layer_files
from orchestrator.plan.docker.containers import (
    REMOVE_SECONDS,
    absent,
    ask_server,
    begun,
    container_state,
    discard,
    discard_all,
    end_marked,
    execute,
    follow_nodes,
    inspect_server,
    last_words,
    list_by_hand,
    listening,
    remove,
    remove_by_hand,
    remove_one,
    rename,
    shell,
    start_server,
    started,
    state,
    stop_server,
    watch_nodes,
)
from orchestrator.plan.docker.images import (
    build,
    image,
    inspect_image,
    inspect_layers,
    load,
    load_relayed,
    pull,
    pull_progress,
    save,
    save_relayed,
)
from orchestrator.plan.docker.logs import (
    ALL,
    RAY_LOGS,
    SERVER_LOGS,
    file_logs,
    find,
    follow_file_logs,
    follow_logs,
    logs,
)
from orchestrator.plan.docker.models import (
    LAPTOP,
    list_model,
    model_holding,
    model_hops,
    models,
    pull_model,
    receive_model,
    send_model,
)
from orchestrator.plan.docker.probes import (
    ask_ray,
    check_tcp,
    end_trial,
    inspect,
    observe,
    run_network_test,
    run_probe,
    try_entrypoint,
    versions,
    watch,
)
from orchestrator.plan.docker.run import STOP_SECONDS, ContainerSpec, container_spec
