"""Synthesis with its cache, and the cloud assembly as typed data.

    SynthRequest --> cache.synthesize --+-- found by key: nothing is run
                                        +-- not found: synthesizer.Synthesizer runs trainworks.infra.app, then publishes
                     CloudAssembly  <---+

Nothing here imports `aws_cdk`.
"""

from trainworks.assembly.cache import synthesize, user_cache_dir
from trainworks.assembly.cloud_assembly import CloudAssembly, FileAsset, NestedTemplate
from trainworks.assembly.request import SynthRequest

__all__ = ["CloudAssembly", "FileAsset", "NestedTemplate", "SynthRequest", "synthesize", "user_cache_dir"]
