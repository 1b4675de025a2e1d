"""The functions of inference.py, with the defaults of SageMaker's scikit-learn container where it defines none.

model_fn(model_dir)                                     has to be there
transform_fn(model, data, content_type, accept)         in place of the three below
input_fn(data, content_type)      CSV, JSON or NPY -> an array
predict_fn(data, model)           model.predict(data)
output_fn(prediction, accept)     an array -> JSON, CSV or NPY
"""

import importlib.util
import io
import json
import os
import sys
from typing import Any

CSV, JSON, NPY = "text/csv", "application/json", "application/x-npy"
_TEXT = (CSV, JSON)
_ANY = ("", "*/*")


class UnsupportedFormatError(Exception):
    """A content type that nothing here reads (415) or writes (406)."""

    def __init__(self, content_type: str, status: int) -> None:
        super().__init__(f"Content type {content_type} is not supported by this framework.")
        self.status = status


class NoModelFunctionError(Exception):
    """There is no `model_fn`."""


class Handlers:
    """The loaded model and what is done with it."""

    def __init__(self, folder: str, program: str, model_dir: str) -> None:
        module = _loaded(folder, program)
        model_fn = getattr(module, "model_fn", None)
        if model_fn is None:
            raise NoModelFunctionError(
                f"Please provide a model_fn implementation in {program}: model_fn(model_dir) returns the model"
            )
        self._transform_fn = getattr(module, "transform_fn", None)
        self._input_fn = getattr(module, "input_fn", decode)
        self._predict_fn = getattr(module, "predict_fn", predict)
        self._output_fn = getattr(module, "output_fn", encode)
        self._default_accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", JSON)
        self._model = model_fn(model_dir)

    def answer(self, body: bytes, content_type: str, accept: str) -> tuple[bytes, str]:
        """The body and the content type of the answer. Raises what the user's functions raise."""
        content_type = content_type or JSON
        accept = self._default_accept if accept in _ANY else accept
        data: Any = body.decode() if _media_type(content_type) in _TEXT else body
        if self._transform_fn is not None:
            answer = self._transform_fn(self._model, data, content_type, accept)
        else:
            prediction = self._predict_fn(self._input_fn(data, content_type), self._model)
            answer = self._output_fn(prediction, accept)
        if isinstance(answer, tuple) and len(answer) == 2:
            answer, accept = answer
        return _as_bytes(answer), str(accept)


def decode(data: Any, content_type: str) -> Any:
    """The default `input_fn`. Pickled objects in NPY are refused."""
    import numpy  # noqa: PLC0415 - only where a script leaves the reading to us

    kind = _media_type(content_type)
    if kind == CSV:
        return numpy.genfromtxt(io.StringIO(_text(data)), dtype=numpy.float32, delimiter=",")
    if kind == JSON:
        return numpy.array(json.loads(_text(data)), dtype=numpy.float32)
    if kind == NPY:
        return numpy.load(io.BytesIO(data), allow_pickle=False)
    raise UnsupportedFormatError(content_type, 415)


def predict(data: Any, model: Any) -> Any:
    """The default `predict_fn`."""
    return model.predict(data)


def encode(prediction: Any, accept: str) -> Any:
    """The default `output_fn`."""
    import numpy  # noqa: PLC0415

    kind = _media_type(accept)
    if kind == JSON:
        return json.dumps(prediction, default=_plain)
    if kind == CSV:
        stream = io.StringIO()
        numpy.savetxt(stream, numpy.atleast_1d(numpy.asarray(prediction)), delimiter=",", fmt="%s")
        return stream.getvalue()
    if kind == NPY:
        buffer = io.BytesIO()
        numpy.save(buffer, numpy.asarray(prediction), allow_pickle=False)
        return buffer.getvalue()
    raise UnsupportedFormatError(accept, 406)


def _loaded(folder: str, program: str) -> Any:
    """The user's module, as `import` would have it."""
    sys.path.insert(0, folder)
    name = os.path.splitext(os.path.basename(program))[0]  # noqa: PTH119, PTH122 - strings of a container
    spec = importlib.util.spec_from_file_location(name, os.path.join(folder, program))  # noqa: PTH118
    if spec is None or spec.loader is None:
        raise ImportError(f"{program} is not a Python script")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _text(data: Any) -> str:
    return data.decode() if isinstance(data, bytes) else str(data)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON; write an output_fn")


def _as_bytes(answer: Any) -> bytes:
    if isinstance(answer, bytes | bytearray | memoryview):
        return bytes(answer)
    if isinstance(answer, str):
        return answer.encode()
    raise TypeError(
        f"output_fn returned {type(answer).__name__}; it has to return str or bytes, alone or with a content type"
    )
