"""The worker: JSON lines in, JSON lines out, torch and the networks kept warm (design.md section 6).

``python -m ece_core.worker`` is two processes. The *supervisor* owns stdin and stdout and never does slow work, so it
answers at once whatever happens. The *warm process* holds torch and the networks and does one run after the other.
A cancel first asks the warm process to stop (it then stays warm); if it does not within CANCEL_PATIENCE_S, it is
killed, its files are removed, and a new one warms up. The worker ends when its stdin closes.

Requests, one JSON object a line; every one has an ``id`` (text or integer) that its events carry back:

==========  ==================================================================================================
analyze     ct, out, options {device, models, explain, patient_model, series_uid}
segment     ct, out, options
classify    ct, mask, out, options: a whole mask; or ct, mask, label, options: one lymph node, and nothing is written
            but, with heatmap_folder, its heatmaps of options.explain there
explain     ct, result, method, lymph_node (id, optional), options
send        path (a result folder, or any of DICOM files), server (default: ECE_PACS), credentials (a file): to the PACS
warmup      answers ``ready`` once the networks are loaded
cancel      id of the run to stop
quit        ends the worker; what runs is cancelled
==========  ==================================================================================================

Events:

==========  ==================================================================================================
ready       device, seconds, warnings [{problem, fix}]: the warm process is warm (again, after a cancel)
progress    id, stage, title, fraction, elapsed_s, remaining_s (null while unknown)
result      id, folder (classify with a label: also lymph_node, warnings and heatmaps; explain: also file; send: also
            transfer {total, sent, there_before} and warnings)
error       id (null: the line had none), kind "input" | "failed" | "cancelled", problem, fix; send: also
            failures [{instance, reason}] of what did not arrive, by an alias of the UID (ece_core.pacs.instances)
==========  ==================================================================================================

Every run ends in exactly one ``result``, ``error`` or (warmup) ``ready`` with its id.
"""
