"""evaluate: measure generated samples against a reference, part by part; memory is bounded by the chunk."""

from __future__ import annotations

import time
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from hgcal_gnn.dask_cluster import cluster_client, on_cluster
from hgcal_gnn.errors import UsageError
from hgcal_gnn.evaluation.features import DEFAULT, compute_features
from hgcal_gnn.evaluation.hit_spectrum import hit_spectrum
from hgcal_gnn.evaluation.report import classifier_parts, condition_parts, distance_parts, hit_parts
from hgcal_gnn.evaluation.report.availability import attempt
from hgcal_gnn.evaluation.report.contents import REFERENCE, Comparison, Evaluation
from hgcal_gnn.evaluation.report.incident import comparable
from hgcal_gnn.evaluation.report.samples import open_sample
from hgcal_gnn.evaluation.report.seeds import check_models, seed_groups
from hgcal_gnn.evaluation.report.settings import EvaluationSettings
from hgcal_gnn.geometry.cell_numbers import CellNumbers
from hgcal_gnn.geometry.material import load_material

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from hgcal_gnn.arrays import F32
    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.geometry.material import MaterialProfile
    from hgcal_gnn.showers.showers import Showers


def evaluate(
    reference: Path | Showers,
    generated: Mapping[str, Path | Showers],
    graph: CellGraph,
    material: MaterialProfile | None = None,
    settings: EvaluationSettings | None = None,
    *,
    training: Path | Showers | None = None,
    same_model: Mapping[str, Sequence[str]] | None = None,
    regressor: Callable[[Showers], F32] | None = None,
    cluster: Any = None,
    progress: Callable[[str], None] | None = None,
) -> Evaluation:
    """Measure everything that tells generated showers from reference ones.

    Parameters
    ----------
    reference, generated
        Stores or showers, all made in the geometry of `graph`; generated ones by name.
    material
        Calibration; default: the built-in one of the detector.
    settings
        Default: everything, all showers.
    training
        What the generators were trained on: needed to tell memorised showers and amplification.
    same_model
        Name of a model -> names of generated samples that are trainings of it with different seeds.
    regressor
        Frozen: gives energies [GeV] of showers, whose response is compared after reconstruction.
    cluster
        A Dask cluster that works on chunks of showers and on generated samples, see `dask_cluster.cluster_client`.
        What trains networks gives the same numbers only with the same number of threads.
    progress
        Called with the name of each part when it begins (on a cluster: of the measurements only); `parts` counts them.

    Raises
    ------
    UsageError
        For no generated sample, or one that is called like the reference; for models without such samples; if there
        is no such cluster.
    InputError
        For samples that cannot be used (missing, damaged, empty, NaN hits, another geometry): before anything is
        computed. Whatever cannot be computed later is marked as not available, with the reason.
    """
    settings = settings or EvaluationSettings()
    if not generated or REFERENCE in generated or "" in generated:
        msg = f"give at least one generated sample, none of them called '{REFERENCE}' or without a name"
        raise UsageError(msg)
    check_models(same_model or {}, generated)
    told = progress or (lambda _: None)
    told("checking the samples")
    samples = {
        name: open_sample(
            name, given, graph, max_showers=settings.max_showers, threshold=settings.threshold, seed=settings.seed
        )
        for name, given in {REFERENCE: reference, **generated}.items()
    }
    material = material or load_material(graph.cells.detector)
    numbers = CellNumbers.of(graph.cells, material)
    found = Evaluation(settings, graph.cells.detector, graph.cells_sha256, samples)
    hits = hit_parts.HitParts(found, graph, numbers, training, regressor)
    with nullcontext() if cluster is None else cluster_client(cluster) as client:
        _measure(found, numbers, told, client)
        _compare_all(found, hits, material, told, client)
    found.models = seed_groups(found, same_model or {})
    return found


def parts(n_generated: int) -> int:
    """Count how often `evaluate` reports progress."""
    return 1 + 2 * (1 + n_generated) + 11 * n_generated


def _measure(found: Evaluation, numbers: CellNumbers, told: Callable[[str], None], client: Any) -> None:
    """Compute features and hit energies of all samples, chunk by chunk."""
    names, convention = found.settings.observables or DEFAULT, found.settings.convention
    for name, sample in found.samples.items():
        told(f"observables of {name}")
        with _timed(found, f"observables of {name}"):
            found.tables[name] = compute_features(sample, numbers, names, convention=convention, client=client)
        told(f"hit energies of {name}")
        with _timed(found, f"hit energies of {name}"):
            found.spectra[name] = attempt("hit energies", partial(hit_spectrum, sample, numbers))


def _compare_all(
    found: Evaluation, hits: hit_parts.HitParts, material: MaterialProfile, told: Callable[[str], None], client: Any
) -> None:
    """Compare the generated samples to the reference, one after the other or each on a worker."""
    names = list(found.generated)
    if client is None or len(names) < 2:
        for name in names:
            found.comparisons[name] = _compare(found, name, hits, material, told)
        return
    told("comparisons")
    results = dict(on_cluster(client, _compare_on_worker, (hits, material, names), range(len(names))))
    for number, name in enumerate(names):
        found.comparisons[name], seconds = results[number]
        for part, value in seconds.items():
            found.seconds[part] = found.seconds.get(part, 0.0) + value


def _compare_on_worker(
    work: tuple[hit_parts.HitParts, MaterialProfile, list[str]], number: int
) -> tuple[Comparison, dict[str, float]]:
    """Compare one sample; return what was found and the time of each part [s]."""
    hits, material, names = work
    found = replace(hits.found, seconds={})
    return _compare(found, names[number], hits, material, lambda _: None), found.seconds


def _compare(
    found: Evaluation, name: str, hits: hit_parts.HitParts, material: MaterialProfile, told: Callable[[str], None]
) -> Comparison:
    """Compare one generated sample to the reference, part by part."""
    result = Comparison()
    tables = found.tables[REFERENCE], found.tables[name]
    samples = found.samples[REFERENCE], found.samples[name]
    settings = found.settings

    @contextmanager
    def part(what: str) -> Iterator[None]:
        told(f"{what}: {name}")
        with _timed(found, what):
            yield

    with part("distances"):
        result.distances = distance_parts.distances(*tables, settings)
    theirs, mine = comparable(*tables)
    tables = theirs, mine
    with part("correlations"):
        result.correlation = distance_parts.correlation(*tables, settings)
    with part("total energy"):
        result.total_energy = distance_parts.total_energy(*tables, settings)
    with part("physics distances"):
        result.frechet, result.kernel = distance_parts.physics_distances(*tables, settings)
    with part("classifier on observables"):
        result.classifier = classifier_parts.on_observables(*tables, settings)
    with part("classifier on hits"):
        result.classifier_hits = classifier_parts.on_hits(samples, hits.graph, material, settings)
    with part("classifier on cells"):
        result.classifier_cells = classifier_parts.on_cells(samples, hits.graph, settings)
    with part("energies"):
        result.energies = condition_parts.energies(*tables, settings)
    with part("eta"):
        result.eta = condition_parts.by_eta(*tables, samples, settings)
    with part("reconstruction"):
        result.reconstruction = hits.reconstruction(name)
    with part("referee"):
        result.amplification = hits.amplification(name)
        result.referee = hits.referee(name, result)
    return result


@contextmanager
def _timed(found: Evaluation, what: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    found.seconds[what] = found.seconds.get(what, 0.0) + time.perf_counter() - start
