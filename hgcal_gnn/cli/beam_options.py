"""The options that describe a beam of particles, for all commands that shoot one."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from hgcal_gnn.cli import arguments as args
from hgcal_gnn.errors import UsageError

if TYPE_CHECKING:
    from hgcal_gnn.simulation.beam import Beam


class Particle(StrEnum):
    """What can be shot."""

    photon = "photon"
    electron = "electron"
    positron = "positron"
    muon = "muon"
    antimuon = "antimuon"
    pion = "pion"
    pi_plus = "pi+"
    pi_minus = "pi-"
    pi0 = "pi0"


ENERGY_FORMS = "50 | 5,50,500 | 10..100 (flat) | log:1..1000"
Pt = Annotated[str | None, typer.Option(help="Instead of --energy: transverse momentum [GeV], same forms.")]
Direction = Annotated[
    str | None, typer.Option(help="Instead of --eta and --phi: a vector, 1,0,0 into a barrel, 0,0,1 along z.")
]


class BeamOptions(NamedTuple):
    """The options as they were typed; None where they were not."""

    particle: Particle | None = None
    energy: str | None = None
    pt: str | None = None
    eta: str | None = None
    phi: str | None = None
    direction: str | None = None
    vertex: str | None = None
    vertex_sigma: str | None = None

    def change(self, beam: Beam) -> Beam:
        """Return a beam with everything changed that was typed.

        Raises
        ------
        UsageError
            For text that cannot be read, options that exclude each other, and beams that cannot be.
        """
        for one, others in (("energy", ("pt",)), ("direction", ("eta", "phi"))):
            both = [other for other in others if getattr(self, other) is not None]
            if getattr(self, one) is not None and both:
                msg = f"give --{one} or --{both[0]}, not both"
                raise UsageError(msg)
        from hgcal_gnn.simulation.beam import parse_spectrum

        changes: dict[str, Any] = {
            "particle": None if self.particle is None else self.particle.value,
            "eta": args.parse_interval(self.eta, "--eta"),
            "phi": args.parse_interval(self.phi, "--phi"),
            "direction": args.parse_vector(self.direction, "--direction"),
            "vertex": args.parse_vector(self.vertex, "--vertex"),
            "vertex_sigma": args.parse_vector(self.vertex_sigma, "--vertex-sigma"),
        }
        changes = {name: value for name, value in changes.items() if value is not None}
        if self.energy is not None:
            changes["spectrum"] = parse_spectrum(self.energy)
        if self.pt is not None:
            changes["spectrum"] = parse_spectrum(self.pt, "pt")
        if self.eta is not None or self.phi is not None:
            changes["direction"] = None
        return replace(beam, **changes)

    @property
    def has_vertex(self) -> bool:
        """Whether the vertex was told."""
        return self.vertex is not None or self.vertex_sigma is not None

    @property
    def is_aimed(self) -> bool:
        """Whether the direction was told."""
        return self.eta is not None or self.phi is not None or self.direction is not None


def spectrum_text(beam: Beam) -> str:
    """Describe the energies of a beam as one would type them."""
    spectrum = beam.spectrum
    text = (", " if spectrum.kind == "list" else " to ").join(f"{value:g}" for value in spectrum.values)
    return f"{'pT ' if spectrum.quantity == 'pt' else ''}{text} GeV"
