"""Write the ROOT files of this folder with ROOT itself (pip install root); uproot cannot write std::vector branches.

Run in this folder: python make_root_tables.py
"""

from __future__ import annotations

import ROOT

ROOT.gInterpreter.Declare(r"""
#include <cmath>
#include <utility>
#include <vector>

// The tree of the CMSSW extractor: one entry, one vector per column, layers signed and starting again in CE-H.
// split 99 (ROOT's default) stores pairs as two branches .first and .second, split 0 as objects.
void write_extractor_table(const char* name, int split) {
  TFile file(name, "RECREATE");
  file.mkdir("analyzer")->cd();
  TTree tree("tree", "tree");
  std::vector<unsigned int> globalid, detectorid, subdetid, next, previous, nneighbors, ngapneighbors, n[12];
  std::vector<int> layerid, celltype;
  std::vector<std::pair<int, int>> waferortileid, cellid;
  std::vector<float> x, y, z;
  std::vector<bool> issilicon;
  const int buffer = 32000;
  tree.Branch("globalid", &globalid, buffer, split);
  tree.Branch("detectorid", &detectorid, buffer, split);
  tree.Branch("subdetid", &subdetid, buffer, split);
  tree.Branch("layerid", &layerid, buffer, split);
  tree.Branch("waferortileid", &waferortileid, buffer, split);
  tree.Branch("cellid", &cellid, buffer, split);
  tree.Branch("x", &x, buffer, split);
  tree.Branch("y", &y, buffer, split);
  tree.Branch("z", &z, buffer, split);
  tree.Branch("celltype", &celltype, buffer, split);
  tree.Branch("issilicon", &issilicon, buffer, split);
  tree.Branch("next", &next, buffer, split);
  tree.Branch("previous", &previous, buffer, split);
  tree.Branch("nneighbors", &nneighbors, buffer, split);
  tree.Branch("ngapneighbors", &ngapneighbors, buffer, split);
  for (int i = 0; i < 12; ++i) tree.Branch(Form("n%d", i), &n[i], buffer, split);

  const int layers[4][2] = {{8, 25}, {8, 26}, {9, 1}, {9, 2}};
  const float depth[4] = {360.14, 361.13, 367.98, 374.28};
  for (int side = 1; side >= -1; side -= 2)
    for (int l = 0; l < 4; ++l) {
      const unsigned first = layers[l][0] << 28 | (side < 0) << 25 | 2u << 26 | layers[l][1] << 20 | 5u << 10;
      for (int cell = 0; cell < 7; ++cell) {  // a cell and its six neighbours
        globalid.push_back(first | cell);
        detectorid.push_back(layers[l][0]);
        subdetid.push_back(0);
        layerid.push_back(side * layers[l][1]);
        waferortileid.push_back({5, 0});
        cellid.push_back({cell, 0});
        const double angle = cell * M_PI / 3;
        x.push_back(80 + (cell ? 1.209 * cos(angle) : 0));
        y.push_back(10 + (cell ? 1.209 * sin(angle) : 0));
        z.push_back(side * depth[l]);
        celltype.push_back(2);
        issilicon.push_back(true);
        next.push_back(0);
        previous.push_back(0);
        nneighbors.push_back(cell ? 1 : 6);
        ngapneighbors.push_back(0);
        for (int i = 0; i < 12; ++i) n[i].push_back(cell ? (i ? 0 : first) : (i < 6 ? first | (i + 1) : 0));
      }
    }
  tree.Fill();
  tree.Write();
  file.Close();
}

// A barrel and two endcaps as the FastCaloSim cell lists hold them: one entry per cell, lengths in mm.
void write_flat_table(const char* name) {
  TFile file(name, "RECREATE");
  TTree tree("cells", "Tree with list of cells");
  ULong64_t id = 1ull << 63;
  int layer;
  bool isBarrel;
  double x, y, z, dx = 50, dy = 50, dz = 10;
  std::vector<ULong64_t> neighbours;
  tree.Branch("id", &id, "id/l");
  tree.Branch("layer", &layer, "layer/I");
  tree.Branch("isBarrel", &isBarrel, "isBarrel/b");
  tree.Branch("x", &x, "x/D");
  tree.Branch("y", &y, "y/D");
  tree.Branch("z", &z, "z/D");
  tree.Branch("dx", &dx, "dx/D");
  tree.Branch("dy", &dy, "dy/D");
  tree.Branch("dz", &dz, "dz/D");
  tree.Branch("neighbours", &neighbours);
  for (layer = 0; layer < 2; ++layer)
    for (int part = -1; part <= 1; ++part) {
      isBarrel = part == 0;
      for (int i = 0; i < 36; ++i)
        for (int j = 0; j < 4; ++j) {
          const double phi = (i + 0.5) * M_PI / 18, r = isBarrel ? 1250 + 10 * layer : 500 + 200 * j;
          x = r * cos(phi);
          y = r * sin(phi);
          z = isBarrel ? (j - 1.5) * 200 : part * (3200 + 10 * layer);
          neighbours.clear();
          if (j > 0) neighbours.push_back(id - 1);
          if (j < 3) neighbours.push_back(id + 1);
          tree.Fill();
          ++id;
        }
    }
  tree.Write();
  file.Close();
}
""")
ROOT.write_extractor_table("extractor_split_pairs.root", 99)
ROOT.write_extractor_table("extractor_whole_pairs.root", 0)
ROOT.write_flat_table("flat_cells.root")
