"""A configuration of the original in today's form."""

from __future__ import annotations

from mega_data_factory.compat.configuration.components import edit_component
from mega_data_factory.compat.configuration.edits import Edits
from mega_data_factory.compat.configuration.sections import edit_executor, edit_loader, edit_stages
from mega_data_factory.framework.config.old_form import Upgraded
from mega_data_factory.framework.config.source import ConfigSource


def upgrade(source: ConfigSource) -> Upgraded:
    """Bring a configuration into today's form; what is not of the original is left as it is."""
    edits = Edits(source)
    edit_stages(edits)
    edit_loader(edits)
    edit_executor(edits)
    edit_component(edits, ("data_loader",), "loader")
    for stage in edits.mappings(("stages",)):
        for operator in edits.mappings((*stage, "operators")):
            edit_component(edits, operator, "operator")
    edit_component(edits, ("data_writer",), "writer")
    return Upgraded(edits.source, edits.notes, edits.mistakes)
