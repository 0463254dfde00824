"""Tables of what changes during a run: samples of each interval, and of nodes."""

from __future__ import annotations

import pyarrow as pa

from mega_data_factory.framework.metrics.schema.column_types import COUNT, HISTOGRAM, REAL, TEXT, TIME, table

SAMPLES = table(
    ("run_id", TEXT, "the run"),
    ("stage_name", TEXT, "the stage"),
    ("operator_name", TEXT, "the operator instance, distinct within the stage"),
    ("worker_id", TEXT, "the worker"),
    ("timestamp", TIME, "start of the interval in which the work was done, naive UTC, a multiple of interval"),
    ("interval", REAL, "length of the interval, seconds"),
    ("input_records", COUNT, "records offered to the operator by committed batches"),
    ("output_records", COUNT, "records passed on by committed batches"),
    ("rejected_records", COUNT, "records rejected with a reason"),
    ("error_count", COUNT, "records that raised and were set aside"),
    ("busy_time", REAL, "seconds busy in this operator on this worker, with batches that ended in the interval"),
    ("batches", COUNT, "batches measured"),
    ("latency_histogram", HISTOGRAM, "records by bucket: (2^(bucket/64), 2^((bucket+1)/64)] seconds per record"),
    ("stage_index", pa.int32(), "place of the stage in the plan, from 0"),
    ("operator_index", pa.int32(), "place of the operator in the stage, from 0"),
    ("created_records", COUNT, "records made beside those that came in"),
    ("cpu_time", REAL, "seconds of CPU of the worker process while busy in this operator; 0 if not measured"),
)

NODES = table(
    ("run_id", TEXT, "the run"),
    ("node_id", TEXT, "the node: Ray's id of it, or, in the local engine, the name of the machine"),
    ("timestamp", TIME, "when it was sampled, by the clock of the node, naive UTC"),
    ("cpu_usage", REAL, "percent of CPU time since the sample before, or of what the cgroup may use"),
    ("memory_usage", REAL, "percent of memory that is not available; of the cgroup's limit if there is one"),
    ("disk_usage", REAL, "percent used of the fullest file system that holds work of the run"),
    ("network_io", REAL, "bytes per second received and sent since the sample before, without loopback"),
    ("disk_io", REAL, "bytes per second read and written since the sample before, over all disks"),
    ("iops", REAL, "read and write operations per second since the sample before, over all disks"),
    ("partition_count", COUNT, "batches that stage workers of this node held"),
    ("status", TEXT, "active, degraded or unhealthy"),
    ("object_store_memory", COUNT, "bytes used of the object store of the node; null if the engine has none"),
    ("gpu_usage", REAL, "percent of the time that kernels ran, mean over the GPUs; null without a GPU"),
    ("gpu_memory_usage", REAL, "percent of GPU memory in use, over the GPUs; null without a GPU"),
    ("hostname", TEXT, "name of the machine"),
    ("status_reason", TEXT, "why it is not active, in words; null when it is"),
    ("num_workers", COUNT, "stage workers of the run on this node"),
    ("cpu_count", REAL, "cores that 100 percent of cpu_usage are"),
    ("memory_total", COUNT, "bytes that 100 percent of memory_usage are"),
    ("disk_total", COUNT, "bytes of the file system that disk_usage is of"),
    ("gpu_count", COUNT, "GPUs that answered"),
    ("run_cpu_usage", REAL, "percent of the same CPU time that the processes of the run used, the rest being others"),
)
