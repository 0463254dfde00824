"""Built-in components: short name → "module:Class", loaded only when needed.

The short name is the class name in snake case, so `text_length_filter` is `TextLengthFilter`; both work in a
configuration. A class of your own needs no entry here: name it as `"your.module:YourClass"`.
"""

from __future__ import annotations

LOADERS: dict[str, str] = {
    "text_loader": "mega_data_factory.loaders.text_loader:TextLoader",
    "jsonl_loader": "mega_data_factory.loaders.jsonl_loader:JsonlLoader",
    "parquet_loader": "mega_data_factory.loaders.parquet_loader:ParquetLoader",
    "warc_loader": "mega_data_factory.loaders.warc_loader:WarcLoader",
    "hugging_face_loader": "mega_data_factory.loaders.hugging_face_loader:HuggingFaceLoader",
    "ray_dataset_loader": "mega_data_factory.framework.engines.ray.ray_dataset_loader:RayDatasetLoader",
}

OPERATORS: dict[str, str] = {
    # refiners
    "html_to_text_refiner": "mega_data_factory.operators.refiners.html_to_text_refiner:HtmlToTextRefiner",
    "unicode_repair_refiner": "mega_data_factory.operators.refiners.unicode_repair_refiner:UnicodeRepairRefiner",
    "text_statistics_refiner": "mega_data_factory.operators.refiners.text_statistics_refiner:TextStatisticsRefiner",
    "language_refiner": "mega_data_factory.operators.refiners.language_refiner:LanguageRefiner",
    "token_count_refiner": "mega_data_factory.operators.refiners.token_count_refiner:TokenCountRefiner",
    # filters
    "url_filter": "mega_data_factory.operators.filters.url_filter:UrlFilter",
    "text_length_filter": "mega_data_factory.operators.filters.text_length_filter:TextLengthFilter",
    "language_filter": "mega_data_factory.operators.filters.language_filter:LanguageFilter",
    "gopher_repetition_filter": "mega_data_factory.operators.filters.gopher_repetition_filter:GopherRepetitionFilter",
    "gopher_quality_filter": "mega_data_factory.operators.filters.gopher_quality_filter:GopherQualityFilter",
    "c4_quality_filter": "mega_data_factory.operators.filters.c4_quality_filter:C4QualityFilter",
    "fineweb_quality_filter": "mega_data_factory.operators.filters.fineweb_quality_filter:FinewebQualityFilter",
    # deduplicators
    "exact_deduplicator": "mega_data_factory.operators.dedup.exact_deduplicator:ExactDeduplicator",
    "minhash_deduplicator": "mega_data_factory.operators.dedup.minhash_deduplicator:MinhashDeduplicator",
}

WRITERS: dict[str, str] = {
    "parquet_writer": "mega_data_factory.writers.parquet_writer:ParquetWriter",
    "jsonl_writer": "mega_data_factory.writers.jsonl_writer:JsonlWriter",
}

EXPORTERS: dict[str, str] = {
    "mlflow_exporter": "mega_data_factory.exports.mlflow.exporter:MlflowExporter",
    "open_lineage_exporter": "mega_data_factory.exports.openlineage.exporter:OpenLineageExporter",
    "otlp_exporter": "mega_data_factory.exports.otlp.exporter:OtlpExporter",
    "prometheus_exporter": "mega_data_factory.exports.prometheus.exporter:PrometheusExporter",
    "pushgateway_exporter": "mega_data_factory.exports.prometheus.pushgateway:PushgatewayExporter",
}

UNSPACED_RECORDS = "unspaced_records"
"""Custom metric of operators with `words: whitespace`: records offered to them in a script without spaces."""

UNSPACED_REJECTS = "unspaced_rejects"
"""Custom metric of filters with `words: whitespace`: of those records, the ones that they rejected."""
