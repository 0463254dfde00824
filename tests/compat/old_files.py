"""A configuration as a user of the original wrote it, with every old key that has a form of today."""

from __future__ import annotations

URL_FILTER = """\
  - name: url_filter
    params:
      url_field: link
      blocklist_domains: [bad.example]
      blocklist_paths: [domains.txt]
"""
"""What both old files of these tests say of their URL filter."""

OLD = (
    """\
data_loader:
  type: HuggingFaceDataLoader
  params:
    dataset_name: corpus
    split: ${SPLIT:-train}
    streaming: true
  num_workers: 2
  checkpoint_interval: 1000
operators:
"""
    + URL_FILTER
    + """\
      word_weights: {casino: 0.9, slot: 0.1}
      use_default_words: false
      score_threshold: 0.5
      check_subdomains: true
      exclude_quality_sources: true
      quality_source_domains: [good.example]
  - name: text_exact_deduplicator
    params: {text_field: body}
  - name: TextLengthFilter
    params: {text_field: body, text_length_field: n, max_length: 9}
workers:
  - name: clean
    operator_names: [url_filter, TextLengthFilter]
    num_replicas: 2
    resources: {cpu: 0.5}
  - name: unique
    operator_names: [text_exact_deduplicator]
data_writer:
  type: ParquetDataWriter
  params: {output_path: ./out, table_name: pages, partition_by: [lang]}
executor:
  use_ray: false
  num_cpus: 2
  batch_size: 10
  rejected_samples:
    enabled: true
    writer_type: ParquetDataWriter
  metrics:
    debug_samples_per_operator: 7
    huggingface_repo: me/space
    huggingface_token: hf_token
"""
)
